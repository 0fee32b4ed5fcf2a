curl "http://localhost:8000/serve/api/v2/webhook/deliveries?limit=1" \
  -H "Authorization: $MEMWEB_KEY"
