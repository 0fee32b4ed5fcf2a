import os

import httpx

answer = httpx.get(
    "http://localhost:8000/v3/token",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    params={"expires_in_seconds": 60},
)
print(answer.raise_for_status().json()["token"])
