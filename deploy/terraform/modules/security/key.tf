data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  by_autoscaling = {
    StringEquals = { "kms:CallerAccount" = local.account }
    ArnEquals = {
      "aws:PrincipalArn" = join("", [
        "arn:${local.partition}:iam::${local.account}:role/aws-service-role/",
        "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling",
      ])
    }
  }
}

# One key for the environment's database, volumes, secret, logs and alarms.
resource "aws_kms_key" "main" {
  description             = "Data of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AccountByPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        Sid       = "LogsOfThisEnvironment"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = { ArnLike = {
          "kms:EncryptionContext:aws:logs:arn" = [
            for group in concat(["/items/${var.environment}/*", "/aws/rds/instance/${var.name}-*"], var.log_groups) :
            "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${group}"
          ]
        } }
      },
      {
        # Alarms need this to publish to an encrypted topic.
        Sid       = "AlarmsAndBudgets"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        # A failed task is an event, which a rule publishes to an encrypted topic. EventBridge sends no account or rule with it.
        Sid       = "EventsOfTasks"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource  = "*"
        Condition = { ArnLike = {
          "kms:EncryptionContext:aws:sns:topicArn" = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.name}-*"
        } }
      },
      {
        # The group starts instances with its service-linked role, which needs the key for their volumes. That role may not
        # exist yet, and a key policy cannot name a principal that does not exist: hence the condition.
        Sid       = "VolumesOfTheGroup"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = local.by_autoscaling
      },
      {
        Sid       = "VolumesOfTheGroupGrant"
        Effect    = "Allow"
        Principal = { AWS = "*" }
        Action    = "kms:CreateGrant"
        Resource  = "*"
        Condition = merge(local.by_autoscaling, { Bool = { "kms:GrantIsForAWSResource" = "true" } })
      },
    ]
  })
}

resource "aws_kms_alias" "main" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.main.key_id
}
