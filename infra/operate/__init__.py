"""Commands for the operator of a deployment or of the local stack."""
