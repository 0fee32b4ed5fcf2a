curl "http://localhost:8000/v3/token?expires_in_seconds=60" \
  -H "Authorization: $MEMWEB_KEY"
