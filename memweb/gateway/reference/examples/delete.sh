curl -X DELETE "http://localhost:8000/serve/api/v2/$ASSET_ID" \
  -H "Authorization: $MEMWEB_KEY"
