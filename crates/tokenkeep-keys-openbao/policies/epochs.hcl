# Beside the policy of the application, where it keeps epochs: it makes a key for each, and uses it. It can't let one leave the
# service, and destroys none.
path "transit/keys" {
  capabilities = ["list"]
}

# One segment, and no path below it: so it lets no key out of the service, configures, rotates or trims none, and does not restore what
# the operator disabled by a soft delete. (A "*" behind the name would match those paths, too.) It may make keys of any name and
# see what keys there are: in a mount that others use as well, give the epochs' application one of its own.
# ("required_parameters" would forbid reading as well, so a key that binds no context can be made. Nothing wraps under it.)
path "transit/keys/+" {
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
