"""Who calls the function host.

| module | job |
|---|---|
| `accounts` | what `functions/authentication.yaml` says, as data |
| `accounts_file` | reading that file, with every problem |
| `signature` | AWS Signature Version 4, as boto3, the aws command and SDKs send it; pure |
| `tokens` | bearer tokens (JWT) |
| `key_sets` | the keys that tokens are checked with, from a URL |
| `gate` | the user of a request, or 403 |
| `refusals` | what callers are told; never what would help them to guess |
"""
