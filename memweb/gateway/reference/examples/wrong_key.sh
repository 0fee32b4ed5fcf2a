curl http://localhost:8000/serve/api/v2/providers \
  -H "Authorization: sk-mem-wrong"
