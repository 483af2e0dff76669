# Applied once per account: the state bucket of the environments, the image repository, and the workflows' login.
provider "aws" {
  region = var.region

  default_tags {
    tags = { Project = "items", ManagedBy = "terraform" }
  }
}

data "aws_caller_identity" "current" {}

resource "aws_kms_key" "state" {
  #checkov:skip=CKV2_AWS_64:the default policy lets the account's IAM policies control the key, which is intended
  description             = "Terraform state of items"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_144:versioning guards against mistakes; a lost region loses the resources together with their state
  #checkov:skip=CKV_AWS_18:CloudTrail records who read or wrote the state
  #checkov:skip=CKV2_AWS_62:nothing reacts to changes of the state
  bucket = "items-state-${data.aws_caller_identity.current.account_id}"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.state.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyByTLS"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.state]
}

module "repository" {
  source = "../modules/ecr"
}

module "audit" {
  source = "../modules/audit"

  trail    = var.trail
  sessions = var.sessions
}

# AWS verifies GitHub's certificate itself; no thumbprint is needed here.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github == null ? 0 : 1

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "build" {
  source = "../modules/delivery"
  count  = var.github == null ? 0 : 1

  name         = "items-build"
  provider_arn = aws_iam_openid_connect_provider.github[0].arn
  github       = var.github
  runs         = [for branch in var.branches : "ref:refs/heads/${branch}"]
  push         = { repository_arn = module.repository.arn }
}

# For the workflow that plans and applies. Whoever applies creates roles, and is an administrator by that.
module "plan" {
  source = "../modules/delivery"
  count  = var.github != null && var.infrastructure ? 1 : 0

  name             = "items-plan"
  provider_arn     = aws_iam_openid_connect_provider.github[0].arn
  github           = var.github
  runs             = concat(["pull_request"], [for branch in var.branches : "ref:refs/heads/${branch}"])
  managed_policies = ["ReadOnlyAccess"]
  state            = { bucket_arn = aws_s3_bucket.state.arn, kms_key_arn = aws_kms_key.state.arn }
}

module "apply" {
  source = "../modules/delivery"
  count  = var.github != null && var.infrastructure ? 1 : 0

  name             = "items-apply"
  provider_arn     = aws_iam_openid_connect_provider.github[0].arn
  github           = var.github
  runs             = ["environment:infrastructure"]
  managed_policies = ["AdministratorAccess"]
}

# Images in a second region, for an environment there.
resource "aws_ecr_replication_configuration" "main" {
  count = var.replica_region == null ? 0 : 1

  replication_configuration {
    rule {
      destination {
        region      = var.replica_region
        registry_id = data.aws_caller_identity.current.account_id
      }

      repository_filter {
        filter      = module.repository.name
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
