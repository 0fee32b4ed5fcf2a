curl http://localhost:8000/v1/speech-to-text \
  -H "xi-api-key: $MEMWEB_KEY" \
  -F model_id=scribe_v2 \
  -F language_code=en \
  -F file=@talk.mp3
