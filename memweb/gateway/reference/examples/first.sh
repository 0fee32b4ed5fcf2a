curl http://localhost:8000/v1/audio/transcriptions \
  -H "Authorization: Bearer $MEMWEB_KEY" \
  -F model=whisper-1 \
  -F file=@talk.mp3
