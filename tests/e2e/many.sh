# Prints numbered lines with pauses: many.sh <lines>. A shell, because a thousand of them run at once.
n=0
while [ "$n" -lt "$1" ]; do
  n=$((n + 1))
  echo "$NODE_APP_INSTANCE $n"
  [ $((n % 10)) -ne 0 ] || sleep 1
done
