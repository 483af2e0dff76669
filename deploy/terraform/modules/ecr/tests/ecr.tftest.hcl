mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/1" }
  }
}

run "images_are_scanned_encrypted_and_never_replaced" {
  command = apply

  assert {
    condition     = aws_ecr_repository.main.name == "items" && aws_ecr_repository.main.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag of items cannot be moved."
  }
  assert {
    condition = (
      aws_ecr_repository.main.image_scanning_configuration[0].scan_on_push &&
      aws_ecr_repository.main.encryption_configuration[0].encryption_type == "KMS" &&
      aws_ecr_repository.main.encryption_configuration[0].kms_key == aws_kms_key.main.arn
    )
    error_message = "Images are scanned and encrypted."
  }
}

run "old_images_go_and_thirty_of_each_environment_stay" {
  command = apply

  assert {
    condition = { for rule in jsondecode(aws_ecr_lifecycle_policy.main.policy).rules : rule.rulePriority => [
      rule.selection.tagStatus, rule.selection.countNumber, try(rule.selection.tagPrefixList[0], ""),
    ] } == { "1" = ["untagged", 7, ""], "10" = ["tagged", 30, "dev-"], "11" = ["tagged", 30, "test-"], "12" = ["tagged", 30, "prod-"], "2" = ["tagged", 10, "live-dev-"], "3" = ["tagged", 10, "live-test-"], "4" = ["tagged", 10, "live-prod-"] }
    error_message = "Untagged images go after a week, tagged ones beyond thirty of their environment; those that were in service stay longer."
  }
}

run "nothing_to_go_back_to_is_refused" {
  command         = plan
  expect_failures = [var.keep]

  variables {
    keep = 1
  }
}
