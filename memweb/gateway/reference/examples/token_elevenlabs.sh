curl -X POST http://localhost:8000/v1/single-use-token/realtime_scribe \
  -H "xi-api-key: $MEMWEB_KEY"
