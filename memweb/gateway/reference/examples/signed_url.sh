curl http://localhost:8000/serve/api/v2/upload/signed-url \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d '{"original_filename": "talk.mp3"}'
