"""How requests to X are signed: a bearer token, OAuth 1.0a, or OAuth 2.0 with refresh.

`scheme` says what every way of signing in offers, `schemes` opens the configured one. For OAuth 2.0:
`tokens` are the values, `plan` decides what to do next, `keeper` does one refresh so that no token is
lost, `oauth2` does so when it is due, `login` gets the first pair. `disk`, `store` and `lock` keep the
pair on disk and one refresh at a time; `token_endpoint` asks X.
"""
