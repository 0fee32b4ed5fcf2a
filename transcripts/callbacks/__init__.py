"""What gateways tell by themselves: addresses, what came in, what it becomes."""
