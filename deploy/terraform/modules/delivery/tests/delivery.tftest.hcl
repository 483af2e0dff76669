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
}

variables {
  name         = "items-prod-deploy"
  provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
  github       = "acme/items"
  runs         = ["environment:prod"]
}

run "only_the_named_runs_take_the_role" {
  command = apply

  variables {
    push = { repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items" }
  }

  assert {
    condition = jsondecode(aws_iam_role.main.assume_role_policy).Statement[0].Condition == {
      StringEquals = { "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com" }
      StringLike = { "token.actions.githubusercontent.com:sub" = [
        "repo:acme/items:environment:prod",
        "repo:acme@*/items@*:environment:prod",
      ] }
    }
    error_message = "The subject has a pattern only for ids that are not given."
  }
  assert {
    condition     = aws_iam_role.main.max_session_duration == 10800
    error_message = "A session lasts as long as two refreshes with their rollbacks."
  }
}

run "pushing_is_bound_to_the_one_repository" {
  command = apply

  variables {
    push = { repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items" }
  }

  assert {
    condition = alltrue([
      for one in jsondecode(aws_iam_role_policy.push[0].policy).Statement :
      one.Resource == ["arn:aws:ecr:us-east-1:123456789012:repository/items"] || one.Action == ["ecr:GetAuthorizationToken"]
    ])
    error_message = "It pushes to one repository."
  }
  assert {
    condition     = length(aws_iam_role_policy.refresh) == 0
    error_message = "Whoever pushes does not refresh."
  }
}

run "refreshing_is_bound_to_the_one_group" {
  command = apply

  variables {
    refresh = {
      group_name          = "items-prod"
      launch_template_arn = "arn:aws:ec2:us-east-1:123456789012:launch-template/lt-1"
      image_parameter_arn = "arn:aws:ssm:us-east-1:123456789012:parameter/items/prod/image"
      instance_role_arn   = "arn:aws:iam::123456789012:role/items-prod-instance"
      repository_arn      = "arn:aws:ecr:us-east-1:123456789012:repository/items"
    }
  }

  assert {
    condition = [for one in jsondecode(aws_iam_role_policy.refresh[0].policy).Statement : one.Resource if one.Sid == "RefreshTheGroup"] == [[
      "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/items-prod",
    ]]
    error_message = "One group."
  }
  assert {
    condition = [for one in jsondecode(aws_iam_role_policy.refresh[0].policy).Statement : [one.Action, one.Resource] if one.Sid == "KeepTheImage"] == [
      [["ecr:BatchGetImage", "ecr:PutImage"], ["arn:aws:ecr:us-east-1:123456789012:repository/items"]],
    ]
    error_message = "It tags images of one repository, and uploads none."
  }
  assert {
    condition = alltrue([
      for one in jsondecode(aws_iam_role_policy.refresh[0].policy).Statement : one.Sid == "Look" if contains(one.Resource, "*")
    ])
    error_message = "Only what looks stands on *."
  }
  assert {
    condition     = length(aws_iam_role_policy.push) == 0
    error_message = "Whoever refreshes does not push."
  }
}

run "ids_leave_no_pattern" {
  command = apply

  variables {
    push   = { repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items" }
    github = "acme@11/items@22"
  }

  assert {
    condition = jsondecode(aws_iam_role.main.assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "token.actions.githubusercontent.com:aud"           = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:repository_id" = "22"
      }
      StringLike = { "token.actions.githubusercontent.com:sub" = [
        "repo:acme/items:environment:prod",
        "repo:acme@11/items@22:environment:prod",
      ] }
    }
    error_message = "Both forms as they are, of the repository with this id."
  }
}

run "a_pattern_in_a_repository_or_a_run_is_refused" {
  command         = plan
  expect_failures = [var.github, var.runs]

  variables {
    push   = { repository_arn = "arn:aws:ecr:us-east-1:123456789012:repository/items" }
    github = "acme/*"
    runs   = ["*"]
  }
}

run "a_role_for_nothing_is_refused" {
  command         = plan
  expect_failures = [var.refresh]
}

run "deploying_to_a_service_is_bound_to_it_and_to_its_roles" {
  command = apply

  variables {
    service = {
      arn                 = "arn:aws:ecs:us-east-1:123456789012:service/items-prod/items"
      cluster_name        = "items-prod"
      role_arns           = ["arn:aws:iam::123456789012:role/items-prod-execution", "arn:aws:iam::123456789012:role/items-prod-task"]
      image_parameter_arn = "arn:aws:ssm:us-east-1:123456789012:parameter/items/prod/image"
      repository_arn      = "arn:aws:ecr:us-east-1:123456789012:repository/items"
    }
  }

  assert {
    condition = { for one in jsondecode(aws_iam_role_policy.service[0].policy).Statement : one.Sid => one.Resource if contains(["UpdateTheService", "PassTheTasksRoles"], one.Sid) } == {
      UpdateTheService  = ["arn:aws:ecs:us-east-1:123456789012:service/items-prod/items"]
      PassTheTasksRoles = ["arn:aws:iam::123456789012:role/items-prod-execution", "arn:aws:iam::123456789012:role/items-prod-task"]
    }
    error_message = "One service, two roles."
  }
  assert {
    condition     = length(aws_iam_role_policy.refresh) == 0 && length(aws_iam_role_policy.push) == 0
    error_message = "It neither refreshes a group nor pushes."
  }
}

run "a_plan_reads_the_account_and_the_state" {
  command = apply

  variables {
    runs             = ["pull_request"]
    managed_policies = ["ReadOnlyAccess"]
    state            = { bucket_arn = "arn:aws:s3:::items-state-123456789012", kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/2" }
  }

  assert {
    condition     = [for one in aws_iam_role_policy_attachment.managed : one.policy_arn] == ["arn:aws:iam::aws:policy/ReadOnlyAccess"]
    error_message = "It reads."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.state[0].policy).Statement[0].Action == ["s3:GetObject", "s3:ListBucket"]
    error_message = "It reads the state and does not write it."
  }
}
