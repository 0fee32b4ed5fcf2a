curl http://localhost:8000/serve/api/v2/audio-stream/start \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"audio_url": "$AUDIO_URL", "provider": "elevenlabs", "language_code": "en"}
END
