import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.get(f"/tasks/{os.environ['TASK_ID']}")
task = answer.raise_for_status().json()["data"]
print(task["status"], f"{task['done_ms']} of {task['total_ms']} ms")
