mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/1" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::items-trail-123456789012" }
  }
}

run "nothing_unless_it_is_switched_on" {
  command = plan

  assert {
    condition     = length(aws_cloudtrail.main) == 0 && length(aws_ssm_document.sessions) == 0 && length(aws_kms_key.main) == 0
    error_message = "Each costs money."
  }
}

run "a_trail_of_every_region_that_shows_what_was_changed_in_it" {
  command   = plan
  state_key = "trail"

  variables {
    trail = true
  }

  assert {
    condition = (
      aws_cloudtrail.main[0].is_multi_region_trail && aws_cloudtrail.main[0].include_global_service_events &&
      aws_cloudtrail.main[0].enable_log_file_validation
    )
    error_message = "All regions, IAM's calls, and hashes of the files."
  }
  assert {
    condition     = aws_s3_bucket.trail[0].bucket == "items-trail-123456789012" && one(aws_s3_bucket_lifecycle_configuration.trail[0].rule).expiration[0].days == 365
    error_message = "A bucket of its own, for a year."
  }
  assert {
    condition     = length(aws_ssm_document.sessions) == 0
    error_message = "Sessions are a switch of their own."
  }
}

run "sessions_are_recorded_encrypted" {
  command   = plan
  state_key = "sessions"

  variables {
    sessions = true
  }

  assert {
    condition     = aws_ssm_document.sessions[0].name == "SSM-SessionManagerRunShell" && aws_ssm_document.sessions[0].document_type == "Session"
    error_message = "Session Manager reads this document alone."
  }
  assert {
    condition = (
      jsondecode(aws_ssm_document.sessions[0].content).inputs.cloudWatchLogGroupName == "/items/sessions" &&
      jsondecode(aws_ssm_document.sessions[0].content).inputs.cloudWatchEncryptionEnabled
    )
    error_message = "Into the one group, which is encrypted."
  }
  assert {
    condition     = aws_cloudwatch_log_group.sessions[0].retention_in_days == 365
    error_message = "For a year."
  }
}

run "days_that_one_of_both_cannot_keep_are_refused" {
  command         = plan
  expect_failures = [var.days]

  variables {
    days = 100
  }
}
