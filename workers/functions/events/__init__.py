"""Plain HTTP requests as the events that AWS's services make of them, and answers back. Pure.

| module | job |
|---|---|
| `http_call` | a request and an answer as data |
| `api_gateway` | `?event=apigw-v2` and `apigw-v1`: the events of API Gateway's HTTP and REST APIs |
| `proxy_answer` | `{statusCode, headers, cookies, body, isBase64Encoded, ...}` as an HTTP answer |
| `appsync` | `?event=appsync`: the context of a direct Lambda resolver |
"""
