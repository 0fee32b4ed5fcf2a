curl "http://localhost:8000/serve/api/v2/$ASSET_ID/metadata" \
  -H "Authorization: $MEMWEB_KEY"
