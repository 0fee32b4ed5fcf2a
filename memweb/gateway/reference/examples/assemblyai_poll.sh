curl "http://localhost:8000/v2/transcript/$TRANSCRIPT_ID" \
  -H "Authorization: $MEMWEB_KEY"
