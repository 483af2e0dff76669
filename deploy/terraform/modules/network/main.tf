data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:only the first two or three are used, and the names are sorted
  state = "available"

  # Local zones have no NAT gateway and no RDS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_region" "current" {}

locals {
  zones = slice(data.aws_availability_zones.available.names, 0, var.zones)
  tiers = { public = 0, private = 10, database = 20 }

  # A subnet's address contains its tier and zone: 10.0.11.0/24 is the private tier in the second zone.
  subnets = {
    for tier, first in local.tiers : tier => { for index, zone in local.zones : index => {
      zone = zone
      cidr = cidrsubnet(var.cidr, 8, first + index)
    } }
  }
  database_ports = concat([var.database_port], var.cache_port == null ? [] : [var.cache_port])
  gateways       = { for index, zone in local.zones : index => zone if var.nat == "per_zone" || index == 0 }
}

resource "aws_vpc" "main" {
  cidr_block         = var.cidr
  enable_dns_support = true

  # A range of Amazon's; of its 256 /64s the public subnets get the first.
  assign_generated_ipv6_cidr_block = var.ipv6 ? true : null
  enable_dns_hostnames             = true

  tags = { Name = var.name }
}

# Without rules: a resource without a security group of its own reaches nothing.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-closed" }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.subnets.public

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.value.zone
  cidr_block              = each.value.cidr
  ipv6_cidr_block         = var.ipv6 ? cidrsubnet(aws_vpc.main.ipv6_cidr_block, 8, each.key) : null
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.value.zone}", Tier = "public" }
}

resource "aws_subnet" "private" {
  for_each = local.subnets.private

  vpc_id            = aws_vpc.main.id
  availability_zone = each.value.zone
  cidr_block        = each.value.cidr

  tags = { Name = "${var.name}-private-${each.value.zone}", Tier = "private" }
}

resource "aws_subnet" "database" {
  for_each = local.subnets.database

  vpc_id            = aws_vpc.main.id
  availability_zone = each.value.zone
  cidr_block        = each.value.cidr

  tags = { Name = "${var.name}-database-${each.value.zone}", Tier = "database" }
}

resource "aws_eip" "nat" {
  for_each = local.gateways

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.value}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "main" {
  for_each = local.gateways

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.value}" }

  depends_on = [aws_route.internet, aws_route_table_association.public]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-public", Tier = "public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route" "internet_ipv6" {
  count = var.ipv6 ? 1 : 0

  route_table_id              = aws_route_table.public.id
  destination_ipv6_cidr_block = "::/0"
  gateway_id                  = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = local.subnets.public

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.subnets.private

  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-private-${each.value.zone}", Tier = "private" }
}

resource "aws_route" "nat" {
  for_each = local.subnets.private

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[var.nat == "per_zone" ? each.key : "0"].id
}

resource "aws_route_table_association" "private" {
  for_each = local.subnets.private

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# Only the network's local route: no traffic to or from outside.
resource "aws_route_table" "database" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${var.name}-database", Tier = "database" }
}

resource "aws_route_table_association" "database" {
  for_each = local.subnets.database

  subnet_id      = aws_subnet.database[each.key].id
  route_table_id = aws_route_table.database.id
}

# A second barrier, in case a security group is opened by mistake. By address, because an ACL cannot name groups.
resource "aws_network_acl" "database" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [for subnet in aws_subnet.database : subnet.id]

  dynamic "ingress" {
    for_each = { for index, pair in setproduct(range(var.zones), local.database_ports) : index => pair }
    content {
      rule_no    = 100 + ingress.key
      action     = "allow"
      protocol   = "tcp"
      cidr_block = local.subnets.private[ingress.value[0]].cidr
      from_port  = ingress.value[1]
      to_port    = ingress.value[1]
    }
  }

  dynamic "egress" {
    for_each = local.subnets.private
    content {
      rule_no    = 100 + egress.key
      action     = "allow"
      protocol   = "tcp"
      cidr_block = egress.value.cidr
      from_port  = 1024
      to_port    = 65535
    }
  }

  tags = { Name = "${var.name}-database" }
}

# Free of charge. Image layers come from S3 and so avoid the NAT gateway, which is billed per gigabyte.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.${data.aws_region.current.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for table in aws_route_table.private : table.id]

  tags = { Name = "${var.name}-s3" }
}

resource "aws_cloudwatch_log_group" "flow" {
  #checkov:skip=CKV_AWS_338:flow logs are kept for weeks: a year of them costs more than the service
  name              = "/items/${var.environment}/flow"
  retention_in_days = var.flow_log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_iam_role" "flow" {
  name = "${var.name}-flow-log"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "flow" {
  name = "write"
  role = aws_iam_role.flow.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.flow.arn}:*"
    }]
  })
}

resource "aws_flow_log" "main" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "ALL"
  log_destination          = aws_cloudwatch_log_group.flow.arn
  iam_role_arn             = aws_iam_role.flow.arn
  max_aggregation_interval = 600

  tags = { Name = var.name }
}
