import httpx

answer = httpx.get(
    "http://localhost:8000/serve/api/v2/providers",
    headers={"Authorization": "sk-mem-wrong"},
)
if answer.is_error:
    print(answer.status_code, answer.json()["msg"])
