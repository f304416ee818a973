# The operator: makes the key, rotates it, and destroys versions and the keys of epochs. It wraps nothing, lets no key leave the
# service, and unwraps epochs alone.
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

# Before an epoch's key is destroyed, it must unwrap the epoch: else whoever writes to the epochs' store would say which key goes.
path "transit/decrypt/tokenkeep-epoch-*" {
  capabilities = ["update"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}
