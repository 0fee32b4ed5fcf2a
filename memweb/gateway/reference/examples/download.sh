curl "http://localhost:8000/serve/api/v2/$ASSET_ID/download" \
  -H "Authorization: $MEMWEB_KEY" \
  --output fetched.mp3
