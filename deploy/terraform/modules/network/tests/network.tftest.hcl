mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }
  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:/items/prod/flow" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/items-prod-flow-log" }
  }
}

variables {
  name        = "items-prod"
  environment = "prod"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
}

run "three_tiers_over_three_zones" {
  command = plan

  assert {
    condition     = aws_vpc.main.cidr_block == "10.0.0.0/16" && aws_vpc.main.enable_dns_hostnames
    error_message = "The network is 10.0.0.0/16, with names for the database."
  }
  assert {
    condition     = [for subnet in aws_subnet.public : subnet.cidr_block] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
    error_message = "The public tier is 10.0.0-2.0/24."
  }
  assert {
    condition     = [for subnet in aws_subnet.private : subnet.cidr_block] == ["10.0.10.0/24", "10.0.11.0/24", "10.0.12.0/24"]
    error_message = "The private tier is 10.0.10-12.0/24."
  }
  assert {
    condition     = [for subnet in aws_subnet.database : subnet.cidr_block] == ["10.0.20.0/24", "10.0.21.0/24", "10.0.22.0/24"]
    error_message = "The database tier is 10.0.20-22.0/24."
  }
  assert {
    condition = alltrue([
      for tier in [aws_subnet.public, aws_subnet.private, aws_subnet.database] :
      [for subnet in tier : subnet.availability_zone] == ["us-east-1a", "us-east-1b", "us-east-1c"]
    ])
    error_message = "Each tier has one subnet in each of the first three zones."
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "Nothing gets a public address by itself."
  }
  assert {
    condition     = length(aws_nat_gateway.main) == 1 && length(aws_eip.nat) == 1
    error_message = "By default one NAT gateway."
  }
}

run "only_the_private_tier_goes_out_by_nat" {
  command = apply

  assert {
    condition     = aws_route.internet.gateway_id == aws_internet_gateway.main.id && aws_route.internet.destination_cidr_block == "0.0.0.0/0"
    error_message = "The public tier goes out by the internet gateway."
  }
  assert {
    condition = alltrue([
      for key, route in aws_route.nat :
      route.nat_gateway_id == aws_nat_gateway.main["0"].id && route.route_table_id == aws_route_table.private[key].id
    ])
    error_message = "The private tier goes out by the NAT gateway."
  }
  assert {
    condition = !contains(
      concat([aws_route.internet.route_table_id], [for route in aws_route.nat : route.route_table_id]),
      aws_route_table.database.id
    )
    error_message = "The database tier's route table has a route."
  }
  assert {
    condition     = alltrue([for one in aws_route_table_association.database : one.route_table_id == aws_route_table.database.id])
    error_message = "A database subnet uses another route table."
  }
  assert {
    condition     = !contains(aws_vpc_endpoint.s3.route_table_ids, aws_route_table.database.id)
    error_message = "The database tier must not reach S3 either."
  }
  assert {
    condition     = aws_nat_gateway.main["0"].subnet_id == aws_subnet.public["0"].id
    error_message = "A NAT gateway stands in the public tier."
  }
  assert {
    condition = alltrue([
      for rule in aws_network_acl.database.ingress :
      rule.from_port == 5432 && rule.to_port == 5432 && startswith(rule.cidr_block, "10.0.1")
    ]) && length(aws_network_acl.database.ingress) == 3
    error_message = "The database tier's ACL lets in 5432 from the private tier alone."
  }
}

run "flow_logs_of_all_traffic_are_kept_encrypted" {
  command = apply

  assert {
    condition     = aws_flow_log.main.traffic_type == "ALL" && aws_flow_log.main.vpc_id == aws_vpc.main.id
    error_message = "Flow logs cover all traffic of the network."
  }
  assert {
    condition     = aws_cloudwatch_log_group.flow.name == "/items/prod/flow" && aws_cloudwatch_log_group.flow.retention_in_days == 30
    error_message = "Flow logs are kept for 30 days."
  }
  assert {
    condition     = aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "Flow logs are encrypted."
  }
}

run "a_nat_gateway_in_each_zone" {
  command = apply

  variables {
    nat = "per_zone"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 3
    error_message = "One NAT gateway in each zone."
  }
  assert {
    condition     = alltrue([for key, route in aws_route.nat : route.nat_gateway_id == aws_nat_gateway.main[key].id])
    error_message = "Each zone goes out by its own NAT gateway."
  }
}

run "two_zones" {
  command = plan

  variables {
    zones = 2
  }

  assert {
    condition     = length(aws_subnet.public) == 2 && length(aws_subnet.private) == 2 && length(aws_subnet.database) == 2
    error_message = "Two zones have two subnets a tier."
  }
}

run "a_cache_and_ipv6" {
  command   = plan
  state_key = "ipv6"

  variables {
    zones      = 2
    cache_port = 6379
    ipv6       = true
  }

  # Amazon chooses the range at the apply.
  override_resource {
    target          = aws_vpc.main
    override_during = plan
    values          = { ipv6_cidr_block = "2600:1f18:1:100::/56" }
  }

  assert {
    condition = toset([for rule in aws_network_acl.database.ingress : "${rule.cidr_block} ${rule.from_port}"]) == toset([
      "10.0.10.0/24 5432", "10.0.11.0/24 5432", "10.0.10.0/24 6379", "10.0.11.0/24 6379",
    ])
    error_message = "The database tier's ACL lets in the database's port and the cache's."
  }
  assert {
    condition     = length(toset([for rule in aws_network_acl.database.ingress : rule.rule_no])) == 4
    error_message = "Each rule has its own number."
  }
  assert {
    condition     = [for subnet in aws_subnet.public : subnet.ipv6_cidr_block] == ["2600:1f18:1:100::/64", "2600:1f18:1:101::/64"]
    error_message = "The public subnets have the first /64s."
  }
  assert {
    condition     = aws_route.internet_ipv6[0].destination_ipv6_cidr_block == "::/0"
    error_message = "And a way back to clients with IPv6."
  }
}

run "four_zones_are_refused" {
  command         = plan
  expect_failures = [var.zones]

  variables {
    zones = 4
  }
}

run "one_zone_and_no_nat_and_a_small_network_are_refused" {
  command         = plan
  expect_failures = [var.zones, var.nat, var.cidr]

  variables {
    zones = 1
    nat   = "none"
    cidr  = "10.0.0.0/20"
  }
}
