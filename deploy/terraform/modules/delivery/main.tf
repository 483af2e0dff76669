data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  issuer = "token.actions.githubusercontent.com"

  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # The subject claim contains names only, or names and ids in every repository that was created, renamed or transferred
  # since July 2026. A name cannot contain @, so the pattern for the second form matches no other repository.
  named         = replace(var.github, "/@[0-9]+/", "")
  identified    = var.github == local.named ? "${replace(local.named, "/", "@*/")}@*" : var.github
  subjects      = [for pair in setproduct([local.named, local.identified], var.runs) : "repo:${pair[0]}:${pair[1]}"]
  repository_id = one(regexall("@([0-9]+)$", var.github)[*][0])
}

resource "aws_iam_role" "main" {
  name                 = var.name
  description          = "Taken by the workflows through OIDC, without a stored key"
  max_session_duration = 10800

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.provider_arn }
      Condition = {
        StringEquals = merge(
          { "${local.issuer}:aud" = "sts.amazonaws.com" },
          local.repository_id == null ? {} : { "${local.issuer}:repository_id" = local.repository_id },
        )
        StringLike = { "${local.issuer}:sub" = local.subjects }
      }
    }]
  })
}

resource "aws_iam_role_policy" "push" {
  #checkov:skip=CKV_AWS_290:the registry's login call has no resource
  #checkov:skip=CKV_AWS_355:the registry's login call has no resource
  count = var.push == null ? 0 : 1

  name = "push"
  role = aws_iam_role.main.id

  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Sid      = "LogInToTheRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    },
    {
      Sid    = "PushTheImage"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ]
      Resource = [var.push.repository_arn]
    },
  ] })
}

resource "aws_iam_role_policy" "refresh" {
  #checkov:skip=CKV_AWS_290:starting instances is bound to the one launch template by a condition
  #checkov:skip=CKV_AWS_355:only read-only calls are allowed on *
  count = var.refresh == null ? 0 : 1

  name = "refresh"
  role = aws_iam_role.main.id

  policy = jsonencode({ Version = "2012-10-17", Statement = [
    # Read-only calls that have no resource in AWS.
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ssm:GetCommandInvocation",
      ]
      Resource = ["*"]
    },
    {
      Sid    = "RefreshTheGroup"
      Effect = "Allow"
      Action = [
        "autoscaling:RollbackInstanceRefresh",
        "autoscaling:StartInstanceRefresh",
      ]
      Resource = [join(":", [
        "arn:${local.partition}:autoscaling:${local.region}:${local.account}:autoScalingGroup:*",
        "autoScalingGroupName/${var.refresh.group_name}",
      ])]
    },
    {
      Sid      = "MakeVersionsOfTheTemplate"
      Effect   = "Allow"
      Action   = ["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplateVersions"]
      Resource = [var.refresh.launch_template_arn]
    },
    {
      Sid      = "NameTheImage"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:PutParameter"]
      Resource = [var.refresh.image_parameter_arn]
    },
    # A second tag for an existing image, which keeps the image in service from expiring. No layer can be uploaded.
    {
      Sid      = "KeepTheImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage", "ecr:PutImage"]
      Resource = [var.refresh.repository_arn]
    },
    # Two statements, because the document has no tag: one condition for both would refuse every command.
    {
      Sid      = "RunShellLines"
      Effect   = "Allow"
      Action   = ["ssm:SendCommand"]
      Resource = ["arn:${local.partition}:ssm:${local.region}::document/AWS-RunShellScript"]
    },
    {
      Sid       = "RunThemOnTheGroupsInstances"
      Effect    = "Allow"
      Action    = ["ssm:SendCommand"]
      Resource  = ["arn:${local.partition}:ec2:${local.region}:${local.account}:instance/*"]
      Condition = { StringEquals = { "ssm:resourceTag/aws:autoscaling:groupName" = var.refresh.group_name } }
    },
    # Starting a refresh with a template requires permission to start what the template describes.
    {
      Sid       = "StartWhatTheTemplateDescribes"
      Effect    = "Allow"
      Action    = ["ec2:RunInstances"]
      Resource  = ["arn:${local.partition}:ec2:${local.region}:*:*/*"]
      Condition = { ArnLike = { "ec2:LaunchTemplate" = var.refresh.launch_template_arn } }
    },
    {
      Sid       = "TagWhatIsStarted"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags"]
      Resource  = ["arn:${local.partition}:ec2:${local.region}:${local.account}:*/*"]
      Condition = { StringEquals = { "ec2:CreateAction" = "RunInstances" } }
    },
    {
      Sid       = "PassTheInstancesRole"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [var.refresh.instance_role_arn]
      Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
    },
  ] })
}

resource "aws_iam_role_policy" "service" {
  #checkov:skip=CKV_AWS_290:task definitions have no resource before they are registered; the roles that one may name are bound
  #checkov:skip=CKV_AWS_355:task definitions have no resource before they are registered; the other calls on * only read
  count = var.service == null ? 0 : 1

  name = "service"
  role = aws_iam_role.main.id

  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Sid    = "RegisterRevisions"
      Effect = "Allow"
      Action = [
        "ecs:DeregisterTaskDefinition",
        "ecs:DescribeTaskDefinition",
        "ecs:ListTaskDefinitions",
        "ecs:RegisterTaskDefinition",
      ]
      Resource = ["*"]
    },
    {
      Sid       = "TagRevisions"
      Effect    = "Allow"
      Action    = ["ecs:TagResource"]
      Resource  = ["arn:${local.partition}:ecs:${local.region}:${local.account}:task-definition/*"]
      Condition = { StringEquals = { "ecs:CreateAction" = "RegisterTaskDefinition" } }
    },
    {
      Sid      = "UpdateTheService"
      Effect   = "Allow"
      Action   = ["ecs:DescribeServices", "ecs:UpdateService"]
      Resource = [var.service.arn]
    },
    {
      Sid       = "LookAtItsTasks"
      Effect    = "Allow"
      Action    = ["ecs:DescribeTasks", "ecs:ListTasks"]
      Resource  = ["*"]
      Condition = { ArnEquals = { "ecs:cluster" = "arn:${local.partition}:ecs:${local.region}:${local.account}:cluster/${var.service.cluster_name}" } }
    },
    {
      Sid       = "PassTheTasksRoles"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = var.service.role_arns
      Condition = { StringEquals = { "iam:PassedToService" = "ecs-tasks.amazonaws.com" } }
    },
    {
      Sid      = "NameTheImage"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:PutParameter"]
      Resource = [var.service.image_parameter_arn]
    },
    {
      Sid      = "KeepTheImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchGetImage", "ecr:PutImage"]
      Resource = [var.service.repository_arn]
    },
  ] })
}

resource "aws_iam_role_policy_attachment" "managed" {
  #checkov:skip=CKV_AWS_274:a role that creates roles is an administrator in any case; only approved runs of one repository assume it
  for_each = toset(var.managed_policies)

  role       = aws_iam_role.main.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

# ReadOnlyAccess reads the state's objects and cannot decrypt them.
resource "aws_iam_role_policy" "state" {
  count = var.state == null ? 0 : 1

  name = "state"
  role = aws_iam_role.main.id

  policy = jsonencode({ Version = "2012-10-17", Statement = [
    {
      Sid      = "ReadTheState"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:ListBucket"]
      Resource = [var.state.bucket_arn, "${var.state.bucket_arn}/*"]
    },
    {
      Sid       = "DecryptTheState"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [var.state.kms_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    },
  ] })
}
