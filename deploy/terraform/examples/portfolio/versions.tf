terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The bucket is an argument of init: -backend-config=bucket=items-state-<account> -backend-config=region=<region>
  backend "s3" {
    key          = "items/portfolio.tfstate"
    use_lockfile = true
  }
}
