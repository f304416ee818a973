# Beside the policy of the application, where it keeps epochs: it makes a key for each, and uses it. It can't let one leave the
# service, and destroys none.
path "transit/keys" {
  capabilities = ["list"]
}

# What may be said when a key is made, and nothing else: so below this path no key is let out of the service, configured or trimmed.
# (A second version may be made, which nothing uses.)
path "transit/keys/tokenkeep-epoch-*" {
  capabilities = ["read", "update"]
  allowed_parameters = {
    "type"    = ["aes256-gcm96"]
    "derived" = [true]
  }
}

path "transit/encrypt/tokenkeep-epoch-*" {
  capabilities = ["update"]
}

path "transit/decrypt/tokenkeep-epoch-*" {
  capabilities = ["update"]
}
