data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  region = data.aws_region.current.name
  prefix = "arn:${data.aws_partition.current.partition}:%s:${local.region}:${data.aws_caller_identity.current.account_id}"

  parameter_arns = [
    for name in ["image", "cloudwatch-agent"] :
    "${format(local.prefix, "ssm")}:parameter/items/${var.environment}/${name}"
  ]
  group_arn = "${format(local.prefix, "autoscaling")}:autoScalingGroup:*:autoScalingGroupName/${var.name}"

  statements = [
    {
      Sid      = "ReadTheSecret"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = var.secret_id
    },
    {
      Sid      = "DecryptTheSecret"
      Effect   = "Allow"
      Action   = "kms:Decrypt"
      Resource = var.kms_key_arn
      Condition = { StringEquals = {
        "kms:ViaService"                  = "secretsmanager.${local.region}.amazonaws.com"
        "kms:EncryptionContext:SecretARN" = var.secret_id
      } }
    },
    {
      # This call has no resource; the token permits only what the next statement allows.
      Sid      = "LogInToTheRegistry"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*"
    },
    {
      Sid      = "PullTheImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = var.repository_arn
    },
    {
      Sid      = "ReadParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameters"]
      Resource = local.parameter_arns
    },
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = [var.log_group_arn, "${var.log_group_arn}:*"]
    },
    {
      # Log group of Session Manager's sessions, which the module audit creates. The agent looks for it before it writes.
      Sid      = "RecordSessions"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = "${format(local.prefix, "logs")}:log-group:/items/sessions:*"
    },
    {
      Sid       = "LookForTheGroupOfSessions"
      Effect    = "Allow"
      Action    = "logs:DescribeLogGroups"
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
    },
    {
      Sid       = "WriteMetrics"
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = "Items/${var.environment}" } }
    },
    {
      # The agent reads its instance's tags, which name the group; the call has no resource.
      Sid       = "ReadOwnTags"
      Effect    = "Allow"
      Action    = "ec2:DescribeTags"
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = local.region } }
    },
    {
      Sid      = "CompleteLifecycleActions"
      Effect   = "Allow"
      Action   = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
      Resource = local.group_arn
    },
    {
      # Only what Session Manager's agent needs: AWS's managed policy could also read every parameter.
      Sid    = "SessionManager"
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource = "*"
    },
  ]
}

resource "aws_iam_role" "instance" {
  name        = "${var.name}-instance"
  description = "What an instance of ${var.name} may do"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "instance" {
  #checkov:skip=CKV_AWS_290:the calls allowed on * have no resource in AWS; a test lists them
  #checkov:skip=CKV_AWS_355:the calls allowed on * have no resource in AWS; a test lists them
  name   = "service"
  role   = aws_iam_role.instance.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

resource "aws_iam_instance_profile" "instance" {
  name = "${var.name}-instance"
  role = aws_iam_role.instance.name
}
