# The operator: makes the key, rotates it, and destroys versions and the keys of epochs. It wraps and unwraps nothing, and lets no
# key leave the service.
path "transit/keys" {
  capabilities = ["list"]
}

path "transit/keys/tokenkeep" {
  capabilities = ["read", "update"]
  denied_parameters = {
    "exportable"             = []
    "allow_plaintext_backup" = []
    "deletion_allowed"       = []
  }
}

path "transit/keys/tokenkeep/rotate" {
  capabilities = ["update"]
}

path "transit/keys/tokenkeep/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

path "transit/keys/tokenkeep/trim" {
  capabilities = ["update"]
}

path "transit/keys/tokenkeep-epoch-*" {
  capabilities = ["read", "update"]
  denied_parameters = {
    "exportable"             = []
    "allow_plaintext_backup" = []
    "deletion_allowed"       = []
  }
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}
