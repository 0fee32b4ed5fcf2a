"""OpenAI's speech-to-text for whole files."""
