curl http://localhost:8000/v2/upload \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/octet-stream" \
  --data-binary @talk.mp3
