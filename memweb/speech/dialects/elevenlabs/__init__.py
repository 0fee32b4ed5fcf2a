"""ElevenLabs realtime (`/v1/speech-to-text/realtime`), both halves."""
