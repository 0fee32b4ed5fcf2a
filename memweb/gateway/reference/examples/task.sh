curl "http://localhost:8000/serve/api/v2/tasks/$TASK_ID" \
  -H "Authorization: $MEMWEB_KEY"
