curl http://localhost:8000/serve/api/v2/upload \
  -H "Authorization: $MEMWEB_KEY" \
  -F file=@talk.mp3
