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
}

run "the_numbers" {
  command = plan

  assert {
    condition     = [output.service.numbers.tasks.cpu, output.service.numbers.tasks.memory, output.service.numbers.tasks.port] == ["512", "1024", 8000]
    error_message = "Half a core, 1 GiB, port 8000."
  }
  assert {
    condition     = [output.service.numbers.tasks.min, output.service.numbers.tasks.desired, output.service.numbers.tasks.max] == [2, 2, 6]
    error_message = "Two to six tasks."
  }
  assert {
    condition     = output.service.numbers.tasks.scaling == { service-cpu = 70, service-memory = 80 } && output.service.numbers.tasks.cooldowns == [60, 300]
    error_message = "CPU 70 %, memory 80 %, 60 s out, 300 s in."
  }
  assert {
    condition     = output.service.numbers.tasks.alarms == { cpu = 80, memory = 90, errors = 5 }
    error_message = "Alarms above 80 % CPU, 90 % memory, 5 % errors."
  }
  assert {
    condition     = output.service.numbers.tasks.healthy == [100, 200] && output.service.numbers.tasks.insights == "enabled" && output.service.numbers.tasks.capacity == ["FARGATE"]
    error_message = "100 to 200 %, Container Insights, on demand."
  }
  assert {
    condition     = output.service.numbers.tasks.log_group == "/ecs/fastapi-app-production" && output.service.numbers.log_days == 30
    error_message = "Its log group, for 30 days."
  }
  assert {
    condition = output.service.numbers.balancer == {
      target_type = "ip", port = 8000, path = "/healthz", interval = 30, timeout = 5, healthy = 2, unhealthy = 3, deregistration_delay = 45
    }
    error_message = "/healthz every 30 s, within 5 s, 2 and 3."
  }
  assert {
    condition     = output.service.numbers.network == { zones = 2, gateways = 1 }
    error_message = "Two zones, one NAT gateway."
  }
  assert {
    condition = output.service.numbers.database == {
      version = "15", family = "postgres15", class = "db.t3.small", storage = [20, 100], multi_az = true, backup_days = 7
      windows = ["01:00-02:00", "sun:03:00-sun:04:00"], monitoring = 60
    }
    error_message = "PostgreSQL 15 with a standby, 20 to 100 GiB, 7 days of backups."
  }
}
