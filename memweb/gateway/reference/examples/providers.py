import os

import httpx

answer = httpx.get(
    "http://localhost:8000/serve/api/v2/providers",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
)
for provider in answer.raise_for_status().json()["data"]:
    print(provider["provider"], "is answered by", provider["live"])
