curl -X POST http://localhost:8000/serve/api/v2/webhook/test \
  -H "Authorization: $MEMWEB_KEY"
