"""The gateway's pages among the settings: keys, the webhook, usage and cost."""
