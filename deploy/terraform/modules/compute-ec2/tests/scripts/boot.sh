#!/usr/bin/env bash
# @settings
printf '%s\n' "$ITEMS_IMAGE"
