terraform {
  # 1.11 introduced write-only arguments, which keep secrets out of the state.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.8"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.14"
    }
  }

  # Choose where to keep the state; a bucket with versioning is a good place:
  #
  #   backend "gcs" {
  #     bucket = "my-terraform-state"
  #     prefix = "render-relay"
  #   }
}

provider "google" {
  project        = var.project_id
  region         = var.region
  default_labels = merge({ app = "render-relay" }, var.labels)
}
