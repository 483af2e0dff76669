# The numbers of the system that this example follows, read from the resources.
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
    defaults = { arn = "arn:aws:iam::123456789012:role/items-prod-role" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/items-prod-instance" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/items/dev/service" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/items-prod/1" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/items-prod/1" }
  }
  mock_resource "aws_lb_listener" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/items-prod/1/2" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 7 }
  }
  mock_resource "aws_autoscaling_policy" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:1:autoScalingGroupName/items-prod:policyName/cpu" }
  }
  mock_resource "aws_db_instance" {
    defaults = { master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-1-AbCdEf" }] }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:items-prod-topic" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/items-prod" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/items-prod:7" }
  }
}

variables {
  region          = "us-east-1"
  github          = null
  emails          = []
  certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
  domain          = "example.com"
  zone_id         = "Z1"
  image           = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items:prod-0123abc-20241101120000"
  frontend_image  = "123456789012.dkr.ecr.us-east-1.amazonaws.com/items-frontend:1"
}

run "dev" {
  command = plan

  assert {
    condition     = [output.service.numbers.tasks.cpu, output.service.numbers.tasks.memory, output.service.numbers.tasks.desired] == ["256", "512", 1]
    error_message = "One small task of the service."
  }
  assert {
    condition     = [output.service.numbers.tasks.frontend.cpu, output.service.numbers.tasks.frontend.memory, output.service.numbers.tasks.frontend.desired] == ["256", "512", 1]
    error_message = "One small task of the pages."
  }
  assert {
    condition     = output.service.numbers.tasks.port == 3001 && output.service.numbers.tasks.frontend.port == 3000 && output.service.numbers.balancer.path == "/health"
    error_message = "Ports 3001 and 3000, /health."
  }
  assert {
    condition     = output.service.numbers.tasks.capacity == ["FARGATE_SPOT"] && output.service.numbers.tasks.schedule.service-evening == "cron(0 20 ? * MON-FRI *)"
    error_message = "On Spot, off at night."
  }
  assert {
    condition     = output.service.numbers.tasks.log_group == "/ecs/items-dev" && output.service.numbers.log_days == 7
    error_message = "One log group for 7 days."
  }
  assert {
    condition     = output.service.numbers.tasks.alarms == { cpu = 80, memory = 80, errors = 5 } && output.service.numbers.tasks.scaling.service-cpu == 70
    error_message = "Alarms above 80 %, 80 % and 5 %; scaling at 70 % CPU."
  }
}

run "test" {
  command = plan

  variables {
    environment = "test"
  }

  assert {
    condition     = [output.service.numbers.tasks.cpu, output.service.numbers.tasks.memory, output.service.numbers.tasks.desired, output.service.numbers.log_days] == ["256", "512", 1, 14]
    error_message = "As dev, with logs for 14 days."
  }
}

run "prod" {
  command = plan

  variables {
    environment = "prod"
  }

  assert {
    condition     = [output.service.numbers.tasks.cpu, output.service.numbers.tasks.memory, output.service.numbers.tasks.desired, output.service.numbers.log_days] == ["512", "1024", 2, 30]
    error_message = "Two larger tasks, logs for 30 days."
  }
  assert {
    condition     = [output.service.numbers.tasks.frontend.cpu, output.service.numbers.tasks.frontend.memory, output.service.numbers.tasks.frontend.desired] == ["512", "1024", 2]
    error_message = "Two larger tasks of the pages."
  }
  assert {
    condition     = output.service.numbers.tasks.capacity == ["FARGATE"] && length(output.service.numbers.tasks.schedule) == 0
    error_message = "On demand, day and night."
  }
}
