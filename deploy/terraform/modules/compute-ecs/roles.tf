locals {
  log_groups = distinct(compact([var.log.group, try(var.frontend.log_group, null)]))

  # What ECS itself does for a task before it starts: pull the image, write the log.
  execution = [
    {
      # This call has no resource; the token permits only what the next statement allows.
      Sid      = "LogInToTheRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid      = "PullTheImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = distinct(compact([var.repository_arn, try(var.frontend.repository_arn, null)]))
    },
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [for group in local.log_groups : "${format(local.prefix, "logs")}:log-group:${group}:*"]
    },
  ]

  # What the service does: read its secret. It reads it again when the database refuses a login, which a variable made of the
  # secret at the task's start could not follow.
  task = [
    {
      Sid      = "ReadTheSecret"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [var.secret_id]
    },
    {
      Sid      = "DecryptTheSecret"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
      Condition = { StringEquals = {
        "kms:ViaService"                  = "secretsmanager.${local.region}.amazonaws.com"
        "kms:EncryptionContext:SecretARN" = var.secret_id
      } }
    },
  ]

  # Only for this account's tasks.
  by_tasks = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id }
        ArnLike      = { "aws:SourceArn" = "${format(local.prefix, "ecs")}:*" }
      }
    }]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "What ECS does to start a task of ${var.name}"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "execution" {
  #checkov:skip=CKV_AWS_290:the registry's login call has no resource
  #checkov:skip=CKV_AWS_355:the registry's login call has no resource
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.execution })
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "What a task of ${var.name} may do"
  assume_role_policy = local.by_tasks
}

resource "aws_iam_role_policy" "task" {
  name   = "service"
  role   = aws_iam_role.task.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.task })
}
