resource "aws_kms_key" "main" {
  #checkov:skip=CKV2_AWS_64:the default policy lets the account's IAM policies control the key, which is intended
  description             = "Images of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_ecr_repository" "main" {
  name = var.name
  # A tag always names the image that was tested.
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.main.arn
  }
}

resource "aws_ecr_lifecycle_policy" "main" {
  repository = aws_ecr_repository.main.name

  policy = jsonencode({ rules = concat([{
    rulePriority = 1
    description  = "What lost its tag goes after a week"
    selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
    action       = { type = "expire" }
    }], [for index, environment in var.environments : {
    # The first rule that matches one of an image's tags decides. Builds are pushed before they are approved, so without
    # this rule thirty newer builds would expire the image in service.
    rulePriority = 2 + index
    description  = "The last images that were in service in ${environment}"
    selection = {
      tagStatus     = "tagged"
      tagPrefixList = ["live-${environment}-"]
      countType     = "imageCountMoreThan"
      countNumber   = var.keep_live
    }
    action = { type = "expire" }
    }], [for index, environment in var.environments : {
    rulePriority = 10 + index
    description  = "The last images of ${environment}"
    selection = {
      tagStatus     = "tagged"
      tagPrefixList = ["${environment}-"]
      countType     = "imageCountMoreThan"
      countNumber   = var.keep
    }
    action = { type = "expire" }
  }]) })
}
