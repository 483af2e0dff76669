# What the two platforms have in common and where they differ; their numbers are held by the modules' own tests.
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
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_data "aws_ecr_repository" {
    defaults = { arn = "arn:aws:ecr:us-east-1:123456789012:repository/items" }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { insecure_value = "ami-0123456789abcdef0" }
  }
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/items-dev-role" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/items-dev-instance" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/items/dev/service" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/items-dev/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/items-dev/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/items-dev/1/2" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/items-dev:policyName/cpu" }
  }
  mock_resource "aws_db_instance" {
    defaults = { master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf" }] }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:items-dev-topic" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/items-dev" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/items-dev:7" }
  }
}

variables {
  environment = "dev"
  image       = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items:dev-0123abc-20241101120000"
  github      = "acme/items"
  network     = { zones = 2, nat = "one" }
  instances   = { type = "t3.micro", min = 1, desired = 1, max = 2, pool_max = 10 }
  tasks       = { cpu = 256, memory = 512, min = 1, desired = 1, max = 4, capacity = "spot" }
  database    = { class = "db.t3.micro", multi_az = false, backup_days = 1 }
  protected   = false
  log_days    = 7
  budget      = 120
}

run "instances" {
  command   = apply
  state_key = "instances"

  assert {
    condition     = output.group_name == "items-dev" && output.ecs_service == null && length(module.tasks) == 0
    error_message = "An Auto Scaling group, no cluster."
  }
}

run "a_later_apply_needs_no_image" {
  command   = plan
  state_key = "instances"

  variables {
    image = null
  }

  assert {
    condition     = endswith(aws_ssm_parameter.image.insecure_value, ":dev-0123abc-20241101120000")
    error_message = "The image in service stays."
  }
}

run "a_first_apply_without_an_image_is_refused" {
  command         = plan
  state_key       = "empty"
  expect_failures = [aws_ssm_parameter.image]

  variables {
    image = null
  }
}

run "tasks_with_pages_and_a_cache" {
  command   = plan
  state_key = "empty"

  variables {
    platform  = "ecs"
    log_group = "/ecs/items-dev"
    port      = 8000
    frontend  = { image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items-frontend:1", min = 1, desired = 1, max = 4 }
    cache     = { nodes = 2 }
  }

  assert {
    condition     = output.ecs_service == "items-dev/items" && output.group_name == null && output.instance_role_name == null && length(module.compute) == 0
    error_message = "A service in a cluster, no group."
  }
  assert {
    condition     = output.numbers.tasks.port == 8000 && output.numbers.tasks.frontend.port == 3000 && output.numbers.tasks.log_group == "/ecs/items-dev"
    error_message = "Service and pages with their ports."
  }
  assert {
    condition     = output.numbers.tasks.capacity == ["FARGATE_SPOT"] && output.numbers.cache.nodes == 2
    error_message = "On Spot, with a cache of two nodes."
  }
}

run "a_platform_without_its_sizes_is_refused" {
  command         = plan
  state_key       = "empty"
  expect_failures = [var.platform]

  variables {
    platform = "ecs"
    tasks    = null
  }
}

run "an_image_without_a_tag_is_refused" {
  command         = plan
  state_key       = "empty"
  expect_failures = [var.image]

  variables {
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items"
  }
}
