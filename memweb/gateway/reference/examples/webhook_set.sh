curl -X PUT http://localhost:8000/serve/api/v2/webhook \
  -H "Authorization: $MEMWEB_KEY" \
  -H "Content-Type: application/json" \
  -d @- <<END
{"url": "$HOOK_URL"}
END
