# These versions are the ones that tests/terraform checks the schemas of. There are no checksums
# because no registry can be reached where this is developed: `terraform init` adds those of its
# own platform, `make terraform-lock` those of all platforms. Commit what they add.

provider "registry.terraform.io/hashicorp/archive" {
  version     = "2.8.1"
  constraints = "~> 2.8"
}

provider "registry.terraform.io/hashicorp/google" {
  version     = "8.7.0"
  constraints = "~> 8.7"
}

provider "registry.terraform.io/hashicorp/time" {
  version     = "0.14.2"
  constraints = "~> 0.14"
}
