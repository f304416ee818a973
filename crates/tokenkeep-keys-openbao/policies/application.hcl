# The application: it wraps and unwraps under the key `tokenkeep`, and looks which versions there are.
path "transit/keys/tokenkeep" {
  capabilities = ["read"]
}

# Never "create": with it, encrypting under a name that is not there makes a key, and one that binds no context.
path "transit/encrypt/tokenkeep" {
  capabilities = ["update"]
}

path "transit/decrypt/tokenkeep" {
  capabilities = ["update"]
}

# Its own token: whether it is still good, and for how long. The default policy allows these too.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}
