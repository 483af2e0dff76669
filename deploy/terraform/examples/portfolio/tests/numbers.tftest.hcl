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

override_resource {
  target          = module.environment.module.network.aws_vpc.main
  override_during = plan
  values          = { ipv6_cidr_block = "2600:1f18:1:100::/56" }
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

run "prod" {
  command = plan

  assert {
    condition     = [output.service.numbers.tasks.cpu, output.service.numbers.tasks.memory, output.service.numbers.tasks.min, output.service.numbers.tasks.max] == ["256", "512", 1, 4]
    error_message = "One to four small tasks of the service."
  }
  assert {
    condition     = [output.service.numbers.tasks.frontend.cpu, output.service.numbers.tasks.frontend.memory, output.service.numbers.tasks.frontend.min, output.service.numbers.tasks.frontend.max] == ["256", "512", 1, 4]
    error_message = "One to four small tasks of the pages."
  }
  assert {
    condition     = output.service.numbers.tasks.port == 8000 && output.service.numbers.tasks.frontend.port == 3000
    error_message = "Ports 8000 and 3000."
  }
  assert {
    condition     = output.service.numbers.balancer.path == "/api/v1/health" && output.service.numbers.balancer.interval == 30
    error_message = "The service's own health path."
  }
  assert {
    condition     = output.service.numbers.tasks.scaling.service-cpu == 70 && output.service.numbers.tasks.scaling.frontend-cpu == 70 && output.service.numbers.tasks.healthy == [100, 200]
    error_message = "Scaling at 70 % CPU; 100 to 200 %."
  }
  assert {
    condition     = output.service.numbers.tasks.log_group == "/ecs/portfolio-prod/backend" && output.service.numbers.tasks.frontend.log_group == "/ecs/portfolio-prod/frontend" && output.service.numbers.log_days == 30
    error_message = "Two log groups for 30 days."
  }
  assert {
    condition     = output.service.numbers.tasks.alarms.cpu == 80 && output.service.numbers.tasks.alarms.memory == 80 && output.service.numbers.network == { zones = 2, gateways = 2 }
    error_message = "Alarms above 80 %; two NAT gateways."
  }
  assert {
    condition = output.service.numbers.database == {
      version = "16", family = "postgres16", class = "db.t4g.small", storage = [20, 50], multi_az = true, backup_days = 7
      windows = ["03:00-04:00", "mon:04:00-mon:05:00"], monitoring = 60
    }
    error_message = "PostgreSQL 16, 20 to 50 GiB, 7 days of backups from 03:00, maintenance on Mondays from 04:00."
  }
  assert {
    condition = output.service.numbers.cache == {
      version = "7.1", node_type = "cache.t4g.small", nodes = 2, failover = true, eviction = "allkeys-lru", snapshots = 5
      windows = ["03:00-05:00", "mon:05:30-mon:06:30"], port = 6379
    }
    error_message = "Redis 7.1 on two nodes with failover, snapshots of five days from 03:00."
  }
}

run "dev" {
  command = plan

  variables {
    environment = "dev"
  }

  assert {
    condition     = output.service.numbers.database.class == "db.t4g.micro" && output.service.numbers.cache.node_type == "cache.t4g.micro" && output.service.numbers.cache.nodes == 1
    error_message = "The smallest database, one node."
  }
}
